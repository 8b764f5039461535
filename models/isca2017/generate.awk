# generate.awk: the six networks of the ISCA 2017 paper as ONNX text, from what the paper's table 1 says of them (explore/isca2017.def).
#   awk -v network=MLP0 -f generate.awk ../../explore/isca2017.def
# Every assumption that the shapes rest on is a comment marked A here, and a line of the file that is written.

function side(weights) { return 8 * int(sqrt(weights) / 8 + 0.5) } # A1: rounded to whole eights
function seed() { return (++seeds) ".0" }
function say(line) { body = body line "\n" }
function note(line) { notes = notes "# " line "\n" }
function draw(name, shape, inputs) {
    say("  " name " = RandomNormal <shape = [" shape "], scale = " sprintf("%.6f", 1 / sqrt(inputs)) ", seed = " seed() "> ()")
}

# A2: fully connected layers of a network are equal and square.
function mlp(    i, n, x) {
    n = side(W / FC)
    note("A1: the side of a layer is the root of weights / layers, in whole eights. A2: its layers are equal and square.")
    port = "float[" BATCH ", " n "] x0"
    for (i = 1; i <= FC; i++) {
        draw("w" i, n ", " n, n / 2)
        say("  s" i " = MatMul (x" (i - 1) ", w" i ")")
        say("  x" i " = Relu (s" i ")")
    }
    result = "float[" BATCH ", " n "] x" FC
}

# A gate is one of the paper's fully connected layers: it multiplies what comes from below and what comes from the step before, each n wide.
function gate(l, g, act, from, t,    p) {
    p = g l "t" t
    say("  a" p " = MatMul (" from ", w" g l ")")
    say("  b" p " = MatMul (h" l "t" (t - 1) ", r" g l ")")
    say("  s" p " = Add (b" p ", a" p ")")
    say("  g" p " = " act " (s" p ")")
}

function cell(l, from, t,    p) {
    p = l "t" t
    gate(l, "i", "Sigmoid", from, t)
    gate(l, "f", "Sigmoid", from, t)
    gate(l, "o", "Sigmoid", from, t)
    gate(l, "c", "Tanh", from, t)
    say("  kept" p " = Mul (gf" p ", c" l "t" (t - 1) ")")
    say("  new" p " = Mul (gi" p ", gc" p ")")
    say("  c" p " = Add (kept" p ", new" p ")")
    say("  y" p " = Tanh (c" p ")")
    say("  h" p " = Mul (go" p ", y" p ")")
}

function lstm(n, source,    cells, l, t, g, gates, rest, from) {
    cells = int(FC / 4)
    rest = int((W - cells * 8 * n * n) / n + 0.5)
    split("i f o c", gates, " ")
    note("A3: four fully connected layers are the gates of one LSTM cell; each has two matrices n x n, for its input and its state. n = " n ": " source ".")
    note("A4: a run makes " STEPS " steps of the sequence, whose state stays in the machine between them; the first comes from the host.")
    for (l = 1; l <= cells; l++)
        for (g = 1; g <= 4; g++) {
            draw("w" gates[g] l, n ", " n, n)
            draw("r" gates[g] l, n ", " n, n)
        }
    if (FC % 4) {
        note("A5: the fully connected layer that is left over takes the weights that are left over: " n " to " rest ".")
        draw("wy", n ", " rest, n)
    }
    for (t = 1; t <= STEPS; t++) {
        port = port (t > 1 ? ", " : "") "float[" BATCH ", " n "] x" t
        from = "x" t
        for (l = 1; l <= cells; l++) {
            cell(l, from, t)
            from = "h" l "t" t
        }
        if (FC % 4)
            say("  y" t " = MatMul (" from ", wy)")
        result = result (t > 1 ? ", " : "") "float[" BATCH ", " (FC % 4 ? rest : n) "] " (FC % 4 ? "y" t : from)
    }
    for (l = 1; l <= cells; l++)
        port = port ", float[" BATCH ", " n "] h" l "t0, float[" BATCH ", " n "] c" l "t0"
}

# The value of this name in the part of the batch that is being written; parts share their weights.
function named(name) { return PART ? name "_" PART : name }
function conv(out, from, channels, filters, kernel, stride) {
    if (PART <= 1)
        draw("w_" out, filters ", " channels ", " kernel ", " kernel, channels * kernel * kernel / 2)
    say("  s_" named(out) " = Conv <kernel_shape = [" kernel ", " kernel "], strides = [" stride ", " stride "], pads = [" pads(kernel) "]> (" named(from) ", w_" out ")")
    say("  " named(out) " = Relu (s_" named(out) ")")
    weights += channels * filters * kernel * kernel
    pixels = stride == 1 ? pixels : int((pixels + 1) / 2)
    products += channels * filters * kernel * kernel * pixels * pixels
    return out
}
function pads(kernel,    p) { p = int((kernel - 1) / 2); return p ", " p ", " p ", " p }

function alphago(    i, k) {
    k = 256
    pixels = 19
    note("A6: the paper names AlphaGo (D. Silver et al., Mastering the game of Go with deep neural networks and tree search, Nature 529, 2016), whose board of")
    note("19 x 19 at batch 8 gives the 2888 operations per weight byte: 48 planes in, 5 x 5 first, 3 x 3, 1 x 1 last. Of the widths tried there (128, 192, 256, 384) 256 comes nearest to 8 M weights.")
    port = "float[" BATCH ", 48, 19, 19] board"
    conv("x1", "board", 48, k, 5, 1)
    for (i = 2; i < CONV; i++)
        conv("x" i, "x" (i - 1), k, k, 3, 1)
    conv("x" CONV, "x" (CONV - 1), k, 1, 1, 1)
    result = "float[" BATCH ", 1, 19, 19] x" CONV
}

function pool(out, from, kind, stride) {
    say("  " named(out) " = " kind " <kernel_shape = [3, 3], strides = [" stride ", " stride "], pads = [1, 1, 1, 1]> (" named(from) ")")
    if (stride == 2)
        pixels = int((pixels + 1) / 2)
    return out
}

# One module: 1 x 1, 3 x 3, twice 3 x 3, pool; a count of 0 leaves a branch out (then the others have stride 2).
function module(name, from, in_, a, b1, b2, c1, c2, kind, d,    stride, joined, at) {
    stride = a ? 1 : 2
    at = pixels
    if (a)
        joined = named(conv(name "a", from, in_, a, 1, 1)) ", "
    joined = joined named(conv(name "b", conv(name "b1", from, in_, b1, 1, 1), b1, b2, 3, stride)) ", "
    pixels = at
    conv(name "c1", from, in_, c1, 1, 1)
    conv(name "c2", name "c1", c1, c2, 3, 1)
    joined = joined named(conv(name "c", name "c2", c2, c2, 3, stride)) ", "
    pixels = at
    pool(name "p", from, kind, stride)
    joined = joined named(d ? conv(name "d", name "p", in_, d, 1, 1) : name "p")
    say("  " named(name) " = Concat <axis = 1> (" joined ")")
    return (a + b2 + c2 + (d ? d : in_))
}

function trunk(image,    c) {
    weights = products = 0
    pixels = R
    conv("c1", image, 3, 64, 7, 2)
    pool("p1", "c1", "MaxPool", 2)
    conv("c2", "p1", 64, 64, 1, 1)
    conv("c3", "c2", 64, 192, 3, 1)
    pool("p2", "c3", "MaxPool", 2)
    c = 192
    c = module("m3a", "p2", c, 64, 64, 64, 64, 96, "AveragePool", 32)
    c = module("m3b", "m3a", c, 64, 64, 96, 64, 96, "AveragePool", 64)
    c = module("m3c", "m3b", c, 0, 128, 160, 64, 96, "MaxPool", 0)
    c = module("m4a", "m3c", c, 224, 64, 96, 96, 128, "AveragePool", 128)
    c = module("m4b", "m4a", c, 192, 96, 128, 96, 128, "AveragePool", 128)
    c = module("m4c", "m4b", c, 160, 128, 160, 128, 160, "AveragePool", 96)
    c = module("m4d", "m4c", c, 96, 128, 192, 160, 192, "AveragePool", 96)
    c = module("m4e", "m4d", c, 0, 128, 192, 192, 256, "MaxPool", 0)
    c = module("m5a", "m4e", c, 352, 192, 320, 160, 224, "AveragePool", 128)
    c = module("m5b", "m5a", c, 352, 192, 320, 192, 224, "MaxPool", 128)
    conv("c4", "m5b", c, c, 1, 1)
    conv("c5", "c4", c, c, 1, 1)
    conv("c6", "c5", c, c, 1, 1)
    return c
}

# The image follows from the operations per weight byte, the fully connected layers from the weights: the two that table 1 leaves open.
function inception(    i, n, c, features, best, off, below) {
    for (best = 32; best < 512; best++) { # the image that comes nearest
        R = best
        body = "" # only the counts are wanted
        c = trunk("image")
        off = INTENSITY - BATCH * (products + W - weights) / W
        if (off <= 0)
            break
        below = off
    }
    R = best - (below < -off)
    trunk("image")
    n = 8 * int((sqrt(c * c + 4 * (FC - 1) * (W - weights)) - c) / 2 / (FC - 1) / 8 + 0.5)
    body = ""
    seeds = 0
    for (PART = 1; PART <= PARTS; PART++) {
        port = port (PART > 1 ? ", " : "") "float[" BATCH / PARTS ", 3, " R ", " R "] " named("image")
        trunk("image")
        say("  " named("g") " = GlobalAveragePool (" named("c6") ")")
        features = features (PART > 1 ? ", " : "") named("g")
    }
    PART = 0
    note("A7: the paper names Inception; 13 pools are those of Inception with batch normalisation (S. Ioffe, C. Szegedy, Batch Normalization, ICML 2015): 69 of")
    note("the 72 convolutions are its, three 1 x 1 follow it. The fully connected layers are " c " to " n " and " n " to " n ", which makes up the weights;")
    note("the image is " R " x " R ", which makes up the operations per weight byte.")
    note("A8: the convolutions see " BATCH / PARTS " images at a time, as many as the unified buffer holds, the fully connected layers all " BATCH ": the paper's 32 operations per byte of their weights.")
    say("  g = Concat <axis = 0> (" features ")")
    say("  x0 = Flatten <axis = 1> (g)")
    for (i = 1; i <= FC; i++) {
        draw("w" i, (i == 1 ? c : n) ", " n, n / 2)
        say("  s" i " = MatMul (x" (i - 1) ", w" i ")")
        say("  x" i " = Relu (s" i ")")
    }
    result = "float[" BATCH ", " n "] x" FC
}

BEGIN { FS = "[(,) ]+"; PARTS = 8 }
$1 == "PAPER_NETWORK" && $2 == network && NF > 9 {
    FC = $4; CONV = $5; W = $8 * 1e6; INTENSITY = $9; BATCH = $10; STEPS = $12
    found = 1
    if (network == "LSTM0")
        lstm(1024, "the paper names GNMT (Y. Wu et al., arXiv 1609.08144), whose cells are that wide; 24 such gates are 50 M weights")
    else if (network == "LSTM1")
        lstm(600, "the paper's own")
    else if (network == "CNN0")
        alphago()
    else if (network == "CNN1")
        inception()
    else
        mlp()
}
END {
    if (!found) {
        print "generate.awk: there is no network '" network "' in isca2017.def" > "/dev/stderr"
        exit 1
    }
    printf "# title:  %s of the ISCA 2017 paper, as far as it is published; batch %d there\n", network, BATCH
    printf "# source: N. P. Jouppi et al., In-Datacenter Performance Analysis of a Tensor Processing Unit, ISCA 2017, table 1\n"
    printf "%s# Written by models/isca2017/generate.sh; weights are drawn from a seed, the network is not trained.\n", notes
    printf "<\n  ir_version: 8,\n  opset_import: [\"\" : 13]\n>\n"
    printf "%s (%s) => (%s)\n{\n%s}\n", network, port, result, body
}
