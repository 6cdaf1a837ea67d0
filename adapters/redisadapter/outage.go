package redisadapter

import "github.com/RichardKnop/machinery/v2/log"

// outage says once that Redis fails and once that it works again, however often it was tried between.
type outage struct {
	source string
	lasts  bool
}

func (o *outage) begin(err error) {
	if o.lasts {
		return
	}
	o.lasts = true
	log.WARNING.Printf("redisadapter: cannot read %s, trying again every %s: %v", o.source, retryPause, err)
}

func (o *outage) end() {
	if !o.lasts {
		return
	}
	o.lasts = false
	log.INFO.Printf("redisadapter: reading %s again", o.source)
}
