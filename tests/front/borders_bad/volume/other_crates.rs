use rustix::mount::unmount; //~ only mount may name rustix::mount
use rustix::{fs::Mode, mount}; //~ only mount may name rustix::mount
use rustix as r; //~ only mount may name rustix::mount
use rustix::*; //~ only mount may name rustix::mount
use rustix::process;
use reqwest; //~ only source may name reqwest
use reqwest::Client; //~ only source may name reqwest
use hyper_util::client::legacy::Client; //~ only source and cluster may name hyper_util::client
use kube::Api; //~ only cluster may name kube
use tonic as rpc; //~ only csi and admin may name tonic

fn call(status: ::tonic::Status) {} //~ only csi and admin may name tonic
