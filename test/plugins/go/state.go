package main

import (
	"strconv"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

type waiting struct {
	types.DefaultHttpContext
	root *root
	id   uint32
}

func (w *waiting) OnHttpRequestHeaders(int, bool) types.Action {
	w.root.waiting = append(w.root.waiting, w.id)
	return types.ActionPause
}

func resumeWaiting(r *root) {
	for _, id := range r.waiting {
		must(proxywasm.SetEffectiveContext(id))
		must(proxywasm.ReplaceHttpRequestHeader("x-resumed-by", "tick"))
		must(proxywasm.ResumeHttpRequest())
	}
	r.waiting = nil
}

type metrics struct {
	counter   proxywasm.MetricCounter
	gauge     proxywasm.MetricGauge
	histogram proxywasm.MetricHistogram
}

func defineMetrics() metrics {
	return metrics{
		counter:   proxywasm.DefineCounterMetric("plugin_counter"),
		gauge:     proxywasm.DefineGaugeMetric("plugin_gauge"),
		histogram: proxywasm.DefineHistogramMetric("plugin_histogram"),
	}
}

type counting struct {
	types.DefaultHttpContext
	metrics metrics
}

func (c *counting) OnHttpRequestHeaders(int, bool) types.Action {
	c.metrics.counter.Increment(1)
	c.metrics.gauge.Add(5)
	c.metrics.gauge.Add(-3)
	c.metrics.histogram.Record(42)
	must(proxywasm.ReplaceHttpRequestHeader("x-counter", strconv.FormatUint(c.metrics.counter.Value(), 10)))
	must(proxywasm.ReplaceHttpRequestHeader("x-gauge", strconv.FormatInt(c.metrics.gauge.Value(), 10)))
	return types.ActionContinue
}

type shared struct{ types.DefaultHttpContext }

func (*shared) OnHttpRequestHeaders(int, bool) types.Action {
	count := 0
	for {
		value, cas, _ := proxywasm.GetSharedData("count")
		count, _ = strconv.Atoi(string(value))
		count++
		if proxywasm.SetSharedData("count", strconv.AppendInt(nil, int64(count), 10), cas) == nil {
			break
		}
	}
	_, cas, _ := proxywasm.GetSharedData("count")
	stale := "0"
	if proxywasm.SetSharedData("count", []byte("lost"), cas+1000) == types.ErrorStatusCasMismatch {
		stale = "8"
	}
	missing := "no"
	if _, _, err := proxywasm.GetSharedData("missing"); err == types.ErrorStatusNotFound {
		missing = "yes"
	}
	must(proxywasm.ReplaceHttpRequestHeader("x-shared", strconv.Itoa(count)))
	must(proxywasm.ReplaceHttpRequestHeader("x-stale", stale))
	must(proxywasm.ReplaceHttpRequestHeader("x-missing", missing))
	return types.ActionContinue
}

type queue struct {
	types.DefaultHttpContext
	id uint32
}

func (q *queue) OnHttpRequestHeaders(int, bool) types.Action {
	path, _ := proxywasm.GetHttpRequestHeader(":path")
	if path == "/last" {
		last, _, _ := proxywasm.GetSharedData("last")
		must(proxywasm.SendHttpResponse(200, nil, last, -1))
		return types.ActionPause
	}
	vm, _ := proxywasm.GetProperty([]string{"plugin_vm_id"})
	same, err := proxywasm.ResolveSharedQueue(string(vm), "jobs")
	must(err)
	_, unknown := proxywasm.ResolveSharedQueue(string(vm), "no such queue")
	must(proxywasm.EnqueueSharedQueue(q.id, []byte(path)))
	told := okIf(same == q.id && unknown == types.ErrorStatusNotFound)
	must(proxywasm.ReplaceHttpRequestHeader("x-queue", told))
	return types.ActionContinue
}

func takeJobs(queue uint32) {
	for {
		job, err := proxywasm.DequeueSharedQueue(queue)
		if err != nil {
			return
		}
		must(proxywasm.SetSharedData("last", job, 0))
		proxywasm.LogInfof("job %s", job)
	}
}
