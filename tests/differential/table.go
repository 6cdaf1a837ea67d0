package differential

import "github.com/RichardKnop/machinery/v2/tasks"

// tableJobs are the whole table, in few tasks: for each type one with all values that arrive, one with all that do not
// fit, and one with those that look like envelopes. What crashes Machinery's workers, or cannot be sent, is left to the
// eager broker.
func tableJobs() (jobs []job) {
	for _, name := range types {
		var fit, misfit, protected []tasks.Arg
		for _, value := range values {
			arg := tasks.Arg{Type: name, Value: value}
			switch fate := fateOf(arg); {
			case isProtected(arg):
				protected = append(protected, arg)
			case fate == arrives:
				fit = append(fit, arg)
			case fate == misfits:
				misfit = append(misfit, arg)
			}
		}
		jobs = append(jobs, single(name+", fits", "list "+name, fit...), single(name+", misfits", "list "+name, misfit...))
		if protected != nil {
			j := single(name+", protected", "list "+name, protected...)
			j.protected = true
			jobs = append(jobs, j)
		}
	}
	return jobs
}

// single sends one task.
func single(name, task string, args ...tasks.Arg) job {
	return sent(name, func(s *side) *tasks.Signature { return &tasks.Signature{Name: task, Args: args} })
}

// sent sends a signature under the UUID of the job.
func sent(name string, signature func(*side) *tasks.Signature) job {
	return job{name: name, send: func(s *side) error {
		made := signature(s)
		made.UUID = s.uuid(name)
		_, err := s.server.SendTask(made)
		return err
	}}
}
