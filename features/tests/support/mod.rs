//! What the feature runner and the replay of the recorded answers share: starting the programs,
//! talking to them, and comparing what they say.

pub(crate) mod compare;
pub(crate) mod database;
pub(crate) mod http;
pub(crate) mod installation;
pub(crate) mod program;
