using Microsoft.Extensions.Logging;

namespace Opt.Kubernetes;

public sealed partial class LeaderElector
{
    private static partial class Log   // 13xx: leader election
    {
        [LoggerMessage(1301, LogLevel.Information, "{Identity} leads, holding {Lease}")]
        public static partial void Leading(ILogger logger, string identity, ObjectKey lease);

        [LoggerMessage(1302, LogLevel.Warning, "{Identity} lost {Lease}; last seen holder: {Holder}")]
        public static partial void Lost(ILogger logger, string identity, ObjectKey lease, string holder);

        [LoggerMessage(1303, LogLevel.Information, "{Identity} gave back {Lease}")]
        public static partial void Released(ILogger logger, string identity, ObjectKey lease);

        [LoggerMessage(1304, LogLevel.Warning, "{Lease} could not be given back and will expire: {Reason}")]
        public static partial void NotReleased(ILogger logger, ObjectKey lease, string reason);

        [LoggerMessage(1305, LogLevel.Debug, "Attempt at {Lease} failed: {Reason}")]
        public static partial void Unanswered(ILogger logger, ObjectKey lease, string reason);
    }
}
