use crate::{log, text, LANGUAGE};
use proxy_wasm::traits::{Context, StreamContext};
use proxy_wasm::types::{Action, LogLevel, PeerType};

pub struct Tcp;

impl Context for Tcp {}

impl StreamContext for Tcp {
    fn on_new_connection(&mut self) -> Action {
        let source = text(self.get_property(vec!["source", "address"]));
        let address = source.split(':').next().unwrap_or_default();
        log(LogLevel::Info, &format!("tcp from {address}"));
        Action::Continue
    }

    fn on_downstream_data(&mut self, size: usize, _: bool) -> Action {
        let data = text(self.get_downstream_data(0, size));
        if data == "deny" {
            self.close_downstream();
            return Action::Pause;
        }
        if size > 0 {
            self.set_downstream_data(0, 0, format!("{LANGUAGE}:").as_bytes());
        }
        Action::Continue
    }

    fn on_upstream_data(&mut self, size: usize, _: bool) -> Action {
        if size > 0 {
            self.set_upstream_data(size, 0, b"!");
        }
        Action::Continue
    }

    fn on_downstream_close(&mut self, _: PeerType) {
        log(LogLevel::Info, "tcp closed");
    }

    fn on_log(&mut self) {
        log(LogLevel::Info, "tcp done");
    }
}
