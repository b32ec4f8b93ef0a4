"""What tests tell the fold in `audit/`: small logs, written by hand or drawn by dice, and their files."""
