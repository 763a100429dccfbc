//! Nothing but tests: this library is empty.
