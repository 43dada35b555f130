use war_vol::cli::run;
use war_vol::store; //~ main may not name store

fn main() {
    war_vol::app::start(); //~ main may not name app
    run(store::open()); //~ main may not name store
}
