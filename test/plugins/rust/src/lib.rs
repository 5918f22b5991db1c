//! The test plugin in Rust; what each role does is in ../README.md.
mod body;
mod callouts;
mod grpc;
mod headers;
mod host;
mod state;
mod tcp;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext, StreamContext};
use proxy_wasm::types::{ContextType, LogLevel};
use std::time::Duration;

pub const LANGUAGE: &str = "rust";

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::<Root>::default() });
}}

#[derive(Default)]
struct Root {
    role: String,
    configuration: String,
    vm_configuration: String,
    metrics: Option<state::Metrics>,
    queue: u32,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_vm_start(&mut self, _: usize) -> bool {
        self.vm_configuration = text(self.get_vm_configuration());
        true
    }

    fn on_configure(&mut self, _: usize) -> bool {
        self.configuration = text(self.get_plugin_configuration());
        self.role = self
            .configuration
            .split(' ')
            .next()
            .unwrap_or("")
            .to_string();
        match self.role.as_str() {
            "tick" => self.set_tick_period(Duration::from_millis(20)),
            "metrics" => self.metrics = Some(state::Metrics::define()),
            "queue" => self.queue = self.register_shared_queue("jobs"),
            "refuse" => {
                log(LogLevel::Error, "refused as asked");
                return false;
            }
            _ => {}
        }
        true
    }

    fn on_tick(&mut self) {
        state::resume_waiting();
    }

    fn on_queue_ready(&mut self, queue: u32) {
        state::take_jobs(queue);
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(match self.role.as_str() {
            "tcp" => ContextType::StreamContext,
            _ => ContextType::HttpContext,
        })
    }

    fn create_stream_context(&self, _: u32) -> Option<Box<dyn StreamContext>> {
        Some(Box::new(tcp::Tcp))
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(match self.role.as_str() {
            "headers" => Box::new(headers::Headers),
            "typical" => Box::new(headers::Typical),
            "reply" => Box::new(headers::Replies),
            "trailers" => Box::new(headers::Trailers),
            "body" => Box::<body::Body>::default(),
            "scan" => Box::new(body::Scan),
            "auth" => Box::new(callouts::Auth),
            "dispatches" => Box::new(callouts::Dispatches { pending: 3 }),
            "grpc" => Box::new(grpc::Unary),
            "grpc-stream" => Box::<grpc::Chat>::default(),
            "tick" => Box::new(state::Waiting { id }),
            "metrics" => Box::new(self.metrics?),
            "shared" => Box::new(state::Shared),
            "queue" => Box::new(state::Queue { id: self.queue }),
            "properties" => Box::<host::Properties>::default(),
            "logs" => Box::new(host::Logs),
            "foreign" => Box::new(host::Foreign),
            "clock" => Box::new(host::Clock),
            _ => Box::new(host::Configuration {
                plugin: self.configuration.clone(),
                vm: self.vm_configuration.clone(),
            }),
        })
    }
}

pub fn log(level: LogLevel, message: &str) {
    hostcalls::log(level, message).unwrap();
}

pub fn text(bytes: Option<Vec<u8>>) -> String {
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}
