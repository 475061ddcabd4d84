#version 300 es
// YCbCr planes to RGB by the frame's own matrix and range.
precision highp float;
uniform sampler2D luma;
uniform sampler2D chroma;  // Cb, or Cb and Cr interleaved
uniform sampler2D chroma2;  // Cr
uniform bool interleaved;
uniform mat3 matrix;
uniform vec3 offset;
uniform vec4 siting;  // chroma = at * siting.xy + siting.zw
uniform float light;  // 1.0, less for a picture that is not live
in vec2 at;
out vec4 colour;

void main() {
    vec2 c = at * siting.xy + siting.zw;
    vec3 yuv = vec3(texture(luma, at).r, texture(chroma, c).rg);
    if (!interleaved) {
        yuv.z = texture(chroma2, c).r;
    }
    colour = vec4(clamp(matrix * (yuv - offset), 0.0, 1.0) * light, 1.0);
}
