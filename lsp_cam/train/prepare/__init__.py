"""From a video to a tracked clip: inspect, crop, landmarks, camera and face, upper body; one file per stage."""
