"""
Draws what fidelity.bench.ts prints: PSNR and SSIM by border fraction and number of devices, and by everything else.

    python3 test/bench/fidelity-plot.py fidelity.md docs/images/fidelity.svg
"""

import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt


def read_rows(path):
    with open(path) as file:
        cells = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in file if line.startswith("|")]
    return [
        dict(size=int(row[0]), devices=int(row[1]), what=row[2], axis=row[3], psnr=float(row[6]), ssim=float(row[8]))
        for row in cells
        if row[0].isdigit()
    ]


def draw_fractions(axes, rows, measure, name):
    for size, style in ((256, "--"), (512, "-")):
        for devices, colour in ((2, "tab:blue"), (4, "tab:orange"), (8, "tab:green")):
            own = [row for row in rows if row["axis"] == "fraction" and (row["size"], row["devices"]) == (size, devices)]
            points = [row for row in own if row["what"].startswith("p = ")]
            if not points:
                continue
            fractions = [float(row["what"][4:]) for row in points]
            label = f"{devices} devices, {size}"
            axes.plot(fractions, [row[measure] for row in points], style, marker="o", color=colour, label=label)
            whole = [row[measure] for row in own if row["what"] == "distrifusion"]
            axes.plot([1.08] * len(whole), whole, "x" if size == 256 else "+", color=colour)
    axes.set_xlabel("border fraction p (crosses: distrifusion)")
    axes.set_ylabel(name)
    axes.grid(alpha=0.3)


def draw_others(axes, rows, size):
    own = [row for row in rows if row["size"] == size and row["devices"] != 8]
    names = [row["what"] for row in own if row["devices"] == 2 and (row["axis"] != "fraction" or row["what"] == "p = 0.3")]
    for offset, (devices, colour) in enumerate(((2, "tab:blue"), (4, "tab:orange"))):
        values = {row["what"]: row["psnr"] for row in own if row["devices"] == devices}
        places = [index + 0.4 * offset for index in range(len(names))]
        axes.barh(places, [values.get(name, 0) for name in names], height=0.38, color=colour, label=f"{devices} devices")
    axes.set_yticks([index + 0.2 for index in range(len(names))], ["p = 0.3, fp16" if name == "p = 0.3" else name for name in names])
    axes.invert_yaxis()
    axes.set_xlabel(f"PSNR against one device, dB (median), {size} x {size}")
    axes.grid(alpha=0.3, axis="x")
    axes.legend(fontsize=8)


def main(source, target):
    rows = read_rows(source)
    figure, axes = plt.subplots(2, 2, figsize=(13, 9), layout="constrained")
    draw_fractions(axes[0][0], rows, "psnr", "PSNR against one device, dB (median)")
    draw_fractions(axes[0][1], rows, "ssim", "SSIM (mean)")
    axes[0][0].legend(fontsize=8)
    draw_others(axes[1][0], rows, 256)
    draw_others(axes[1][1], rows, 512)
    plt.rcParams["svg.hashsalt"] = "patchbay"
    figure.savefig(target, metadata={"Date": None, "Title": "Fidelity of displaced pictures against one device"})


main(*sys.argv[1:])
