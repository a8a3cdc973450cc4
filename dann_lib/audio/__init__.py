"""Sound from and to files: any format is opened in one way; a song becomes the files of its stems."""
