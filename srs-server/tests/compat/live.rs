//! What the directives of players and publishers do.
