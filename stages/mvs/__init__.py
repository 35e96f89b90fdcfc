"""Multi-view stereo: view selection and depth maps."""
