"""The shipped weights: those of their card, and better than knowing nothing."""

from __future__ import annotations

import json

import numpy as np
import torch
from diptych.learned.mono.network import MonoDepth
from diptych.learned.mono.task import HELD_OUT, MonoTask, _metrics
from diptych.learned.weights.files import digest_of, load
from diptych.learned.weights.paths import path_of


def test_they_are_those_of_their_card() -> None:
    card = json.loads(path_of("mono").with_suffix(".json").read_text("utf-8"))
    assert card["task"] == "mono"
    assert card["sha256"] == digest_of(path_of("mono"))


def test_on_scenes_never_trained_on_they_are_better_than_one_depth_for_each_image() -> None:
    network, task = MonoDepth().eval(), MonoTask(0, torch.device("cpu"))
    load(network, "mono")
    read, constant = [], []
    with torch.inference_mode():
        for number in range(8):
            scene = task._scene(number, HELD_OUT + 1)
            log_depth, _ = network(scene.image, scene.rays)
            read.append(_metrics(log_depth - scene.log_depth, scene.known)["median %"])
            constant.append(_metrics(-scene.log_depth, scene.known)["median %"])
    assert np.mean(read) < 0.9 * np.mean(constant)
