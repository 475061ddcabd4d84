"""What takes frames: encode for the disk, JPEG for browsers. One thread and one mailbox each."""
