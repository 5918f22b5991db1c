use crate::{log, text, LANGUAGE};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::SystemTime;

#[derive(Default)]
pub struct Properties {
    path: String,
}

impl Properties {
    fn value(&self) -> String {
        match self.get_property(self.path.split('.').collect()) {
            Some(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            None => "none".into(),
        }
    }
}

impl Context for Properties {}

impl HttpContext for Properties {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        self.path = self
            .get_http_request_header("x-property")
            .unwrap_or_default();
        self.set_property(vec!["note"], Some(b"written"));
        self.set_http_request_header("x-value", Some(&self.value()));
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        self.set_http_response_header("x-value", Some(&self.value()));
        let note = text(self.get_property(vec!["note"]));
        self.set_http_response_header("x-note", Some(&note));
        Action::Continue
    }

    fn on_log(&mut self) {
        log(LogLevel::Info, &format!("{} = {}", self.path, self.value()));
    }
}

pub struct Logs;

impl Context for Logs {}

impl HttpContext for Logs {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        log(LogLevel::Trace, "at trace");
        log(LogLevel::Debug, "at debug");
        log(LogLevel::Info, "at info");
        log(LogLevel::Warn, "at warn");
        log(LogLevel::Error, "at error");
        log(LogLevel::Critical, "at critical");
        println!("printed by {LANGUAGE}");
        Action::Continue
    }
}

pub struct Foreign;

impl Context for Foreign {}

impl HttpContext for Foreign {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let words = b"hello hello hello hello hello hello";
        let packed = self.call_foreign_function("compress", Some(words));
        let plain = match &packed {
            Ok(Some(packed)) => self.call_foreign_function("uncompress", Some(packed)),
            _ => Ok(None),
        };
        let same = matches!(plain, Ok(Some(plain)) if plain == words);
        self.set_http_request_header("x-compress", Some(if same { "ok" } else { "wrong" }));
        let unknown = self.call_foreign_function("no such function", None);
        let unknown = unknown.map_or_else(|status| status as u32, |_| 0);
        self.set_http_request_header("x-unknown", Some(&unknown.to_string()));
        Action::Continue
    }
}

pub struct Clock;

impl Context for Clock {}

impl HttpContext for Clock {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let since = |time: SystemTime| {
            time.duration_since(SystemTime::UNIX_EPOCH)
                .unwrap()
                .as_secs()
        };
        let (host, wasi) = (since(self.get_current_time()), since(SystemTime::now()));
        let sane = host > 1_600_000_000 && host.abs_diff(wasi) < 5;
        self.set_http_request_header("x-clock", Some(if sane { "ok" } else { "wrong" }));
        // A hasher's keys are random, and the same input hashes differently under others.
        let random = RandomState::new().hash_one(1) != 0;
        self.set_http_request_header("x-random", Some(if random { "ok" } else { "wrong" }));
        Action::Continue
    }
}

pub struct Configuration {
    pub plugin: String,
    pub vm: String,
}

impl Context for Configuration {}

impl HttpContext for Configuration {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        self.set_http_request_header("x-config", Some(&self.plugin));
        self.set_http_request_header("x-vm-config", Some(&self.vm));
        Action::Continue
    }
}
