"""Operations of the routes that are more than one statement."""
