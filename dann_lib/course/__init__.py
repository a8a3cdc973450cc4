"""The course around the lessons: what they share, exercises, the runner, the book, the listening test, the panel."""
