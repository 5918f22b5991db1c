use crate::{text, LANGUAGE};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::time::Duration;

pub struct Unary;

impl Context for Unary {
    fn on_grpc_call_response(&mut self, _: u32, status: u32, size: usize) {
        if status == 0 {
            let reply = text(self.get_grpc_call_response_body(0, size));
            self.set_http_request_header("x-grpc-reply", Some(&reply));
            self.resume_http_request();
            return;
        }
        let (_, message) = self.get_grpc_status();
        let (status, message) = (status.to_string(), message.unwrap_or_default());
        let fields = vec![("x-grpc-code", status.as_str()), ("x-grpc-text", &message)];
        self.send_http_response(403, fields, Some(b"Access forbidden.\n"));
    }
}

impl HttpContext for Unary {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let call = self.get_http_request_header("x-call").unwrap_or_default();
        let (method, message) = call.split_once(' ').unwrap_or((&call, ""));
        let metadata = vec![("x-from", LANGUAGE.as_bytes())];
        let (message, timeout) = (Some(message.as_bytes()), Duration::from_millis(2000));
        self.dispatch_grpc_call("grpc", "test.Echo", method, metadata, message, timeout)
            .unwrap();
        Action::Pause
    }
}

#[derive(Default)]
pub struct Chat {
    heard: Vec<String>,
    trailer: String,
}

impl Context for Chat {
    fn on_grpc_stream_message(&mut self, token: u32, size: usize) {
        let message = text(self.get_grpc_stream_message(0, size));
        self.heard.push(message);
        if self.heard.len() == 1 {
            self.send_grpc_stream_message(token, Some(b"two"), true);
        }
    }

    fn on_grpc_stream_trailing_metadata(&mut self, _: u32, _: u32) {
        self.trailer = text(self.get_grpc_stream_trailing_metadata_value("x-heard"));
    }

    fn on_grpc_stream_close(&mut self, _: u32, status: u32) {
        self.set_http_request_header("x-grpc-heard", Some(&self.heard.join(", ")));
        self.set_http_request_header("x-grpc-trailer", Some(&self.trailer));
        self.set_http_request_header("x-grpc-code", Some(&status.to_string()));
        self.resume_http_request();
    }
}

impl HttpContext for Chat {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let metadata = vec![("x-from", LANGUAGE.as_bytes())];
        let token = self
            .open_grpc_stream("grpc", "test.Echo", "Chat", metadata)
            .unwrap();
        let first = self.get_http_request_header("x-first").unwrap_or_default();
        self.send_grpc_stream_message(token, Some(first.as_bytes()), false);
        Action::Pause
    }
}
