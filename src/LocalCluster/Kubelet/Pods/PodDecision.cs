using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet.Pods;

/// <summary>Which containers to start now, and when to look again if nothing happens before.</summary>
internal sealed record PodDecision(IReadOnlyList<string> Start, IReadOnlyList<(string Container, TimeSpan Delay)> BackingOff, DateTimeOffset? LookAgain)
{
    /// <summary>
    /// Init containers one after another, each to its end (a sidecar until it has started), then all main containers; what has ended is started again as the
    /// restart policy says, after its back-off.
    /// </summary>
    public static PodDecision Decide(JsonObject pod, IReadOnlyList<ContainerState> containers, Backoff backoff, DateTimeOffset now)
    {
        var plan = new Plan(pod.Text("spec", "restartPolicy") ?? "Always", backoff, now);
        if (PodPhase.MainHasEnded(pod, containers) || PodPhase.Of(pod, containers) == "Failed") return plan.Done();

        // Once main containers have run, a sidecar that is down holds nobody up.
        var initialized = containers.Any(c => c.Kind == ContainerKind.Main && (c.Run is not Run.Waiting || c.Last is not null));
        foreach (var container in containers.Where(c => c.Kind != ContainerKind.Main))
        {
            plan.Consider(container);
            var passed = container.Kind == ContainerKind.Init ? container.HasSucceeded : container is { IsRunning: true, Started: true };
            if (!passed && !initialized) return plan.Done();
        }

        foreach (var container in containers.Where(c => c.Kind == ContainerKind.Main)) plan.Consider(container);
        return plan.Done();
    }

    /// <summary>Whether a container that ended is to run again.</summary>
    public static bool MayRestart(string policy, ContainerState container) => container.Kind switch
    {
        ContainerKind.Sidecar => true,
        ContainerKind.Init => policy != "Never" && !container.HasSucceeded,
        _ => policy == "Always" || (policy == "OnFailure" && !container.HasSucceeded),
    };

    private sealed class Plan(string policy, Backoff backoff, DateTimeOffset now)
    {
        private readonly List<string> _start = [];
        private readonly List<(string, TimeSpan)> _backingOff = [];
        private DateTimeOffset? _lookAgain;

        public void Consider(ContainerState container)
        {
            switch (container.Run)
            {
                case Run.Waiting when container.RetryAt is { } retry && retry > now:
                    Later(retry);
                    break;
                case Run.Waiting { Reason: "CrashLoopBackOff" }:
                    Again(container, container.Last!);
                    break;
                case Run.Waiting:
                    _start.Add(container.Name);
                    break;
                case Run.Terminated ended when MayRestart(policy, container):
                    Again(container, ended);
                    break;
            }
        }

        public PodDecision Done() => new(_start, _backingOff, _lookAgain);

        private void Again(ContainerState container, Run.Terminated ended)
        {
            var delay = backoff.BeforeStart(container.BackoffLevel);
            if (now >= ended.FinishedAt + delay)
            {
                _start.Add(container.Name);
                return;
            }

            _backingOff.Add((container.Name, delay));
            Later(ended.FinishedAt + delay);
        }

        private void Later(DateTimeOffset at)
        {
            if (_lookAgain is null || at < _lookAgain) _lookAgain = at;
        }
    }
}
