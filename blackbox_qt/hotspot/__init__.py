"""The box's own Wi-Fi, so that a phone reaches it where there is no other network; made by NetworkManager."""
