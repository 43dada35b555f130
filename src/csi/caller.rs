//! Who is connected, as the gRPC server wants to know it.

use tonic::transport::server::Connected;

use crate::socket::Caller;

impl Connected for Caller {
    /// Nothing: who may not call was turned away before.
    type ConnectInfo = ();

    fn connect_info(&self) {}
}
