-- Which version each worker is, and which tick of its schedule it waits for: so that a page can tell two versions that run side
-- by side, and when the next sweep begins.
ALTER TABLE reconciler.judges
    ADD COLUMN version       text,
    ADD COLUMN next_sweep_at timestamptz;
