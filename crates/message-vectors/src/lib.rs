//! Holds nothing: what there is are the tests.
