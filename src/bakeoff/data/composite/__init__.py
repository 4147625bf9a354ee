"""Modified MNIST: composites of several white digits on a grey texture, any image of an endless set on demand.

Two course competitions used such images: the largest of 2 or 3 digits at 64x64, the highest of 3 at 128x128. An
image is a pure function of (options, digits, seed, index): every random number is a hash of seed, index and what it
is for, and all arithmetic that decides a pixel is exact, so that the bytes are the same on any machine, in any
order and for any batch.
"""
