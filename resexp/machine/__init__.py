"""The machine that trials run on: its processor, devices, memory, clocks and folders."""
