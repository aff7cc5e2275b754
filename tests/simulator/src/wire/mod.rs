//! The protocols: a request becomes a call, an outcome a response, one file a protocol.
//!
//! What is answered is in `services`.

pub(crate) mod xml;
