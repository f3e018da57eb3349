"""What lies over the panes: dialogs, help, palette, menus."""
