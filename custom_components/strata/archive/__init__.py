"""The archive: finished months as open files, elsewhere, proven before anything local goes."""
