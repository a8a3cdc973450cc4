# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Separate a song of your own
#
# At the end you hear your song as vocals, drums, bass and the rest. The song stays on this computer. What the network
# can and cannot do, and why, is the subject of [the course](01_data.ipynb).

# %%
from dann_lib.course import lessons
from dann_lib.files import shipped_weights
from dann_lib.course.own_song import own_song

weights = {"trained on 80 real songs, and composed ones": shipped_weights()}
yours = lessons.live_folder("05") / "weights.safetensors"
if yours.is_file():
    weights["trained by you in lesson 5"] = yours
own_song(weights)
