//! Who is connected, as the gRPC server wants to know it.

use tonic::transport::server::{Connected, UdsConnectInfo};

use crate::socket::Caller;

impl Connected for Caller {
    type ConnectInfo = UdsConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream().connect_info()
    }
}
