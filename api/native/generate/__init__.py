"""Routes that submit a job and answer its status, one pair per modality."""
