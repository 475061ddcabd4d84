#version 300 es
// A rectangle without vertex buffers: corner n of the strip is made from its number.
uniform vec4 place;  // left, bottom, right, top in clip space
uniform float mirrored;  // 1.0: left and right exchanged
out highp vec2 at;  // place in the picture, (0, 0) top left

void main() {
    vec2 corner = vec2(float(gl_VertexID & 1), float(gl_VertexID >> 1));
    gl_Position = vec4(mix(place.xy, place.zw, corner), 0.0, 1.0);
    at = vec2(mix(corner.x, 1.0 - corner.x, mirrored), 1.0 - corner.y);
}
