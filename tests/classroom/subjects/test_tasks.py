import pytest
import torch

from cvcourse.classroom.subjects import tasks
from cvcourse.data.scenes import stack


@pytest.fixture(scope="module")
def batch():
    scenes = tasks.scenes(3, "test")
    return stack([scenes[i] for i in range(3)])


def steepest(field):
    """The largest difference between each pixel and those around it, by a loop."""
    height, width = field.shape
    result = torch.zeros(height, width)
    for y in range(height):
        for x in range(width):
            around = field[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            result[y, x] = (around - field[y, x]).abs().max()
    return result


def test_what_is_wanted_by_loops(batch):
    images, truth = batch
    wanted = tasks.wanted_of(images, truth)
    assert list(wanted) == list(tasks.TASKS)
    torch.testing.assert_close(wanted["edges"][0, 0], 2 * steepest(images[0].mean(0)))
    jumps = steepest(truth["depth"][0].log()) > 0.03
    assert torch.equal(wanted["occlusion"][0, 0], jumps.float())
    assert torch.equal(wanted["autoencoding"], images)
    assert torch.equal(wanted["segments"], truth["semantic"])


def test_an_answer_that_is_right_is_the_truth(batch):
    images, truth = batch
    wanted = tasks.wanted_of(images, truth)
    right = {task: tasks.answer(task, tasks.as_numbers(task, wanted[task])) for task in wanted}
    torch.testing.assert_close(right["depth"], truth["depth"])
    torch.testing.assert_close(right["normals"], truth["normals"])
    assert torch.equal(right["segments"], truth["semantic"])


def test_a_confident_output_has_no_loss_and_is_probable(batch):
    wanted = tasks.wanted_of(*batch)
    outputs = {
        "segments": 60 * (tasks.as_numbers("segments", wanted["segments"]) - 0.5),
        "occlusion": 60 * (wanted["occlusion"] - 0.5),
        "depth": wanted["depth"],
    }
    for task, output in outputs.items():
        assert tasks.losses_of(task, output, wanted[task]).shape == (3,)
        assert tasks.losses_of(task, output, wanted[task]).abs().max() < 1e-6
        numbers = tasks.as_numbers(task, wanted[task])
        torch.testing.assert_close(tasks.probable(task, output), numbers)


@pytest.mark.parametrize("task", tasks.TASKS)
def test_networks_answer_for_every_pixel(task):
    network = tasks.Network(task).eval()
    images = torch.rand(2, 3, 48, 64)
    assert network.encoder(images).shape == (2, tasks.WIDTH, 12, 16)
    assert network(images).shape == (2, tasks.CHANNELS[task], 48, 64)


def test_a_network_takes_the_encoder_of_another():
    encoder = tasks.Network("depth").encoder
    network = tasks.Network("edges", encoder)
    assert network.encoder is encoder
    assert network(torch.rand(1, 3, 16, 16)).shape == (1, 1, 16, 16)


def test_all_encoders_have_one_shape():
    networks = tasks.new_networks().values()
    shapes = [[w.shape for w in network.encoder.state_dict().values()] for network in networks]
    assert all(shape == shapes[0] for shape in shapes)


@pytest.mark.parametrize("task", tasks.TASKS)
def test_trained_networks_beat_a_constant_on_scenes_they_have_not_seen(task):
    kept = tasks.Pictures(30, "test", seed=1)
    wanted = kept.wanted[task]
    network = tasks.trained_network(task)
    assert not network.training
    with torch.no_grad():
        numbers = tasks.probable(task, network(kept.images))
    right = tasks.as_numbers(task, wanted)
    constant = right.mean((0, 2, 3), keepdim=True)
    assert (numbers - right).square().mean() < (constant - right).square().mean()


def test_pictures_are_the_scenes_with_what_is_wanted(batch):
    images, truth = batch
    kept = tasks.Pictures(3, "test")
    assert len(kept) == 3
    image, wanted = kept[1]
    assert torch.equal(image, images[1])
    assert torch.equal(wanted["segments"], truth["semantic"][1])
    assert torch.equal(kept.truth["depth"], truth["depth"])


def test_to_ask_in_parts_is_to_ask_at_once():
    network, images = tasks.Network("depth"), torch.rand(5, 3, 16, 16)
    said = tasks.ask(network, images, batch=2)
    assert not network.training
    assert not said.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(said, network(images))
    folded = tasks.ask(torch.nn.PixelUnshuffle(4), images)
    assert folded.shape == (5, 48, 4, 4)


def test_losses_of_all_are_those_of_each(batch):
    images, truth = batch
    networks, wanted = tasks.new_networks(("depth", "segments")).eval(), tasks.wanted_of(*batch)
    found = tasks.losses_of_all(networks, (images, wanted))
    assert list(found) == ["depth", "segments"]
    cross = torch.nn.functional.cross_entropy(networks["segments"](images), truth["semantic"])
    torch.testing.assert_close(found["segments"], cross)


def test_another_task_is_refused():
    with pytest.raises(ValueError, match=r"task must be one of autoencoding, .*, got 'flow'"):
        tasks.trained_network("flow")


def test_a_figure_of_answers_says_what_it_shows(batch):
    images, truth = batch
    columns = {"picture": ("picture", images), "true depth": ("depth", truth["depth"])}
    columns["shapes"] = ("segments", truth["semantic"])
    columns["surface"] = ("normals", truth["normals"])
    figure = tasks.show_answers(columns, title="Some answers")
    assert len(figure.axes) == 12
    assert "Some answers" in figure.alt_text
    assert "true depth" in figure.alt_text


def test_random_encoder_knows_the_scale_of_its_channels_alone(batch):
    images, _ = batch
    encoder = tasks.random_encoder(images, 3)
    torch.manual_seed(3)
    plain = tasks.new_encoder()
    pairs = zip(encoder.parameters(), plain.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    first = encoder[0]
    seen = first[0](images)
    torch.testing.assert_close(first[1].running_mean, seen.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(first[1].running_var, seen.var((0, 2, 3)), rtol=1e-4, atol=1e-5)


def test_a_slow_part_takes_steps_of_a_tenth():
    """AdamW's first step has the length of the rate, whatever the gradient."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), torch.nn.Conv2d(1, 1, 1))
    before = [weight.detach().clone() for weight in model.parameters()]
    inputs, wanted = torch.rand(8, 1, 4, 4), torch.rand(8, 1, 4, 4)
    tasks.learn_few(model, inputs, wanted, "edges", steps=1, slow=model[0])
    moved = [
        abs(float(now.detach() - then))
        for now, then in zip(model.parameters(), before, strict=True)
    ]
    with pytest.raises(ValueError, match="slow must be a part of model"):
        tasks.learn_few(model, inputs, wanted, "edges", steps=1, slow=torch.nn.Conv2d(1, 1, 1))
    first, second = max(moved[:2]), max(moved[2:])
    assert second == pytest.approx(tasks.RATE, rel=0.02)
    assert first == pytest.approx(tasks.RATE / 10, rel=0.02)


def test_few_labels_teach_by_three_quarters_and_stop_by_the_last():
    """Two kinds of pictures; those that say when to stop want the opposite of those that teach."""
    torch.manual_seed(0)
    model = torch.nn.Conv2d(1, 1, 1)
    inputs, wanted = torch.ones(8, 1, 4, 4), torch.ones(8, 1, 4, 4)
    wanted[6:] = -1000.0  # each step away from there makes it worse
    model.bias.data.fill_(-5.0)
    model.weight.data.fill_(0.0)
    history = tasks.learn_few(model, inputs, wanted, "edges", steps=80)
    assert len(history) == 80
    scores = [row["validation"] for row in history if "validation" in row]
    assert len(scores) == 2
    assert scores[0] < scores[1]
    kept = tasks.losses_of("edges", model(inputs[6:]), wanted[6:]).mean().item()
    assert kept == pytest.approx(scores[0], rel=1e-6)
