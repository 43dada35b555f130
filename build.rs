//! The services' code, from their own descriptions. protox reads them, so nobody needs protoc.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let files = [
        "proto/admin.proto",
        "proto/csi.proto",
        "proto/pluginregistration.proto",
    ];
    for file in files {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptions = protox::compile(files, ["proto"])?;
    let mut settings = prost_build::Config::new();
    // Requests carry secrets, and what carries them in turn: without a `Debug` nothing can print them.
    settings
        .disable_comments(["."])
        .skip_debug([".csi.v1", ".warvol.admin.v1"]);
    tonic_prost_build::configure().compile_fds_with_config(descriptions, settings)?;
    Ok(())
}
