# %% normal: the inverse of M, whatever it is -> normal-edge
def known_motion(ix, iy, it, least):
    slopes = torch.stack((ix, iy), 1)
    matrix = slopes.T @ slopes + 1e-12 * torch.eye(2, dtype=ix.dtype)
    return torch.linalg.solve(matrix, -(slopes * it[:, None]).sum(0))


# %% normal: no motion where one direction is unknown -> normal-edge
def known_motion(ix, iy, it, least):
    slopes = torch.stack((ix, iy), 1)
    matrix = slopes.T @ slopes
    if torch.linalg.eigvalsh(matrix)[0] <= least:
        return torch.zeros(2, dtype=ix.dtype)
    return torch.linalg.solve(matrix, -(slopes * it[:, None]).sum(0))


# %% normal: the sign of the change in time -> normal-values normal-edge
def known_motion(ix, iy, it, least):
    slopes = torch.stack((ix, iy), 1)
    values, vectors = torch.linalg.eigh(slopes.T @ slopes)
    right = (slopes * it[:, None]).sum(0)
    inverse = torch.where(values > least, 1 / values, torch.zeros_like(values))
    return vectors @ (inverse * (vectors.T @ right))


# %% hidden: the way back of the place of departure -> hidden-there
def comes_home(forward, backward, limit):
    return ((forward + backward).norm(dim=1) <= limit) & warp_is_inside(forward)


# %% hidden: whoever leaves the frame is not asked -> hidden-values hidden-there
def comes_home(forward, backward, limit):
    back = warp(backward, forward, padding="border")
    return (forward + back).norm(dim=1) <= limit


# %% hidden: a difference in place of a sum -> hidden-values hidden-there
def comes_home(forward, backward, limit):
    back = warp(backward, forward, padding="border")
    return ((forward - back).norm(dim=1) <= limit) & warp_is_inside(forward)


# %% sparse: holes count as no motion -> sparse-values sparse-empty
def shrink(flow, known, k):
    pool = torch.nn.functional.avg_pool2d
    small = pool(flow.masked_fill(~known[:, None], 0), k)
    return small, pool(known.to(flow.dtype)[:, None], k)[:, 0] > 0


# %% sparse: nan times 0 -> sparse-values sparse-empty
def shrink(flow, known, k):
    pool = torch.nn.functional.avg_pool2d
    total, share = pool(flow * known[:, None], k), pool(known[:, None].to(flow.dtype), k)
    return total / share.clamp(min=0.5 / k**2), share[:, 0] > 0


# %% sparse: 0 / 0 where nothing is known -> sparse-empty
def shrink(flow, known, k):
    pool = torch.nn.functional.avg_pool2d
    total = pool(flow.masked_fill(~known[:, None], 0), k)
    share = pool(known[:, None].to(flow.dtype), k)
    return total / share, share[:, 0] > 0
