"""A photo, the same one turned, and clips of 300 and 1,000 frames, made of the clip that ships: `footage.py FOLDER`."""

import sys
from pathlib import Path

import av
from PIL import Image

CLIP = Path(__file__).resolve().parents[2] / "assets" / "demo" / "demo.mp4"
CLIPS = {"long.mp4": 300, "thousand.mp4": 1000}


def main(folder: Path) -> None:
    with av.open(str(CLIP)) as source:
        stream = source.streams.video[0]
        rate = stream.average_rate
        pictures = [frame.to_ndarray(format="rgb24") for frame in source.decode(stream)]
    there_and_back = [*pictures, *pictures[-2:0:-1]]
    upright = Image.fromarray(pictures[40])
    upright.save(folder / "photo.jpg", quality=92)
    mark = Image.Exif()
    mark[0x0112] = 6  # as a telephone held upright stores it
    upright.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.jpg", quality=92, exif=mark)
    for name, frames in CLIPS.items():
        with av.open(str(folder / name), "w") as target:
            out = target.add_stream("libx264", rate=rate)
            out.height, out.width = pictures[0].shape[:2]
            out.pix_fmt = "yuv420p"
            for number in range(frames):
                picture = there_and_back[number % len(there_and_back)]
                target.mux(out.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            target.mux(out.encode())


main(Path(sys.argv[1]))
