"""Sound files, as far as a service that takes 30 seconds at a time makes us read them.

`kinds` tells formats apart, `wav` and `mp3` read the two that the service
takes, `ffmpeg` turns the others into WAV, `pieces` plans the cuts, `kept`
remembers what was transcribed and `captions` writes the result.
Nothing here holds a whole recording in memory.
"""
