using Microsoft.Extensions.Logging;
using Opt.Api.Protocol;
using Opt.Kubernetes;

namespace Opt.Operator.Jobs;

internal sealed partial class PlanExecutor
{
    private static partial class Log   // 21xx: actions
    {
        [LoggerMessage(2101, LogLevel.Information, "{Job}: replicas {Replicas} {Outcome}")]
        public static partial void Scaled(ILogger logger, string job, int replicas, string outcome);

        [LoggerMessage(2102, LogLevel.Information, "{Job}: epoch {Epoch} fenced through {Pod}; {Checkpoints} checkpoints")]
        public static partial void Fenced(ILogger logger, string job, long epoch, string pod, int checkpoints);

        [LoggerMessage(2103, LogLevel.Warning, "{Job}: epoch {Epoch} not fenced: {Error}")]
        public static partial void NotFenced(ILogger logger, string job, long epoch, string error);

        [LoggerMessage(2104, LogLevel.Information, "{Job}: plan {Epoch}.{Revision} ({Digest}) from step {Step}: {Reason}: {Message}")]
        public static partial void Planned(ILogger logger, string job, long epoch, int revision, string digest, long step, string reason, string message);

        [LoggerMessage(2105, LogLevel.Warning, "{Pod} did not take epoch {Epoch}: {Error}")]
        public static partial void NotSent(ILogger logger, string pod, long epoch, string error);

        [LoggerMessage(2106, LogLevel.Information, "{Pod}: control {Epoch}.{Revision} {Command}")]
        public static partial void Controlled(ILogger logger, string pod, long epoch, int revision, ControlCommand command);

        [LoggerMessage(2107, LogLevel.Warning, "{Pod} did not take the control word of epoch {Epoch}: {Error}")]
        public static partial void NotControlled(ILogger logger, string pod, long epoch, string error);

        [LoggerMessage(2110, LogLevel.Warning, "{Pod} did not store the logbook: {Error}")]
        public static partial void NotRecorded(ILogger logger, string pod, string error);

        [LoggerMessage(2114, LogLevel.Information, "{Job} is deleted: it ended {Seconds} s ago, its time to live")]
        public static partial void JobExpired(ILogger logger, ObjectKey job, int seconds);

        [LoggerMessage(2111, LogLevel.Information, "Asked {Pod} for diagnostics {Id} ({Set})")]
        public static partial void Diagnosing(ILogger logger, string pod, string id, DiagnosticsSet set);

        [LoggerMessage(2112, LogLevel.Warning, "{Pod} did not take diagnostics {Id}: {Error}")]
        public static partial void NotDiagnosing(ILogger logger, string pod, string id, string error);

        [LoggerMessage(2115, LogLevel.Information, "{Job}: stacks collected for {Cause}: {Answers} of {Asked} agents answered")]
        public static partial void Collected(ILogger logger, string job, string cause, int answers, int asked);

        [LoggerMessage(2116, LogLevel.Warning, "{Pod} did not tell where its workers stand: {Error}")]
        public static partial void NotCollected(ILogger logger, string pod, string error);

        [LoggerMessage(2108, LogLevel.Warning, "Node {Node} quarantined for {Job}: {Reason}: {Message}")]
        public static partial void Quarantined(ILogger logger, string node, string job, string reason, string message);

        [LoggerMessage(2109, LogLevel.Information, "Pod {Pod} deleted; without grace: {Now}")]
        public static partial void PodDeleted(ILogger logger, ObjectKey pod, bool now);
    }
}
