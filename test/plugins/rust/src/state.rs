use crate::{log, text};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel, MetricType};
use std::cell::RefCell;

thread_local! {
    static WAITING: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

pub struct Waiting {
    pub id: u32,
}

impl Context for Waiting {}

impl HttpContext for Waiting {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        WAITING.with(|waiting| waiting.borrow_mut().push(self.id));
        Action::Pause
    }
}

pub fn resume_waiting() {
    for id in WAITING.with(|waiting| std::mem::take(&mut *waiting.borrow_mut())) {
        hostcalls::set_effective_context(id).unwrap();
        let fields = proxy_wasm::types::MapType::HttpRequestHeaders;
        hostcalls::set_map_value(fields, "x-resumed-by", Some("tick")).unwrap();
        hostcalls::resume_http_request().unwrap();
    }
}

#[derive(Clone, Copy)]
pub struct Metrics {
    counter: u32,
    gauge: u32,
    histogram: u32,
}

impl Metrics {
    pub fn define() -> Metrics {
        let define = |kind, name| hostcalls::define_metric(kind, name).unwrap();
        Metrics {
            counter: define(MetricType::Counter, "plugin_counter"),
            gauge: define(MetricType::Gauge, "plugin_gauge"),
            histogram: define(MetricType::Histogram, "plugin_histogram"),
        }
    }
}

impl Context for Metrics {}

impl HttpContext for Metrics {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        hostcalls::increment_metric(self.counter, 1).unwrap();
        hostcalls::increment_metric(self.gauge, 5).unwrap();
        hostcalls::increment_metric(self.gauge, -3).unwrap();
        hostcalls::record_metric(self.histogram, 42).unwrap();
        let value = |metric| hostcalls::get_metric(metric).unwrap().to_string();
        self.set_http_request_header("x-counter", Some(&value(self.counter)));
        self.set_http_request_header("x-gauge", Some(&value(self.gauge)));
        Action::Continue
    }
}

pub struct Shared;

impl Context for Shared {}

impl HttpContext for Shared {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let count = loop {
            let (value, cas) = self.get_shared_data("count");
            let count = text(value).parse().unwrap_or(0) + 1;
            if self
                .set_shared_data("count", Some(count.to_string().as_bytes()), cas)
                .is_ok()
            {
                break count;
            }
        };
        let (_, cas) = self.get_shared_data("count");
        let stale = self.set_shared_data("count", Some(b"lost"), cas.map(|cas| cas + 1000));
        let stale = stale.map_or_else(|status| status as u32, |()| 0);
        let missing = matches!(self.get_shared_data("missing"), (None, None));
        self.set_http_request_header("x-shared", Some(&count.to_string()));
        self.set_http_request_header("x-stale", Some(&stale.to_string()));
        self.set_http_request_header("x-missing", Some(if missing { "yes" } else { "no" }));
        Action::Continue
    }
}

pub struct Queue {
    pub id: u32,
}

impl Context for Queue {}

impl HttpContext for Queue {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        if path == "/last" {
            let (last, _) = self.get_shared_data("last");
            self.send_http_response(200, vec![], Some(&last.unwrap_or_default()));
            return Action::Pause;
        }
        let vm = text(self.get_property(vec!["plugin_vm_id"]));
        let same = self.resolve_shared_queue(&vm, "jobs") == Some(self.id);
        let unknown = self.resolve_shared_queue(&vm, "no such queue").is_none();
        self.enqueue_shared_queue(self.id, Some(path.as_bytes()))
            .unwrap();
        let told = if same && unknown { "ok" } else { "wrong" };
        self.set_http_request_header("x-queue", Some(told));
        Action::Continue
    }
}

pub fn take_jobs(queue: u32) {
    while let Ok(Some(job)) = hostcalls::dequeue_shared_queue(queue) {
        hostcalls::set_shared_data("last", Some(&job), None).unwrap();
        log(
            LogLevel::Info,
            &format!("job {}", String::from_utf8_lossy(&job)),
        );
    }
}
