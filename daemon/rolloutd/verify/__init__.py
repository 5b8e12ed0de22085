"""Whether the database says what the files say, and having put right what does not."""
