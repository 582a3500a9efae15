"""The research harness: experiments that compare models on data sets."""
