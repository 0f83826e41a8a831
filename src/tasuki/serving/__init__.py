"""The inference service: fetches the published version, proves it, assigns the arm, scores and logs the exposure."""
