"""The state that each tracked object carries from frame to frame."""
