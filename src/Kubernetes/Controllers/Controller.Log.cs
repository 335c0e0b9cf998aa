using Microsoft.Extensions.Logging;

namespace Opt.Kubernetes;

public sealed partial class Controller<T>
{
    private static partial class Log   // 12xx: controllers
    {
        [LoggerMessage(1201, LogLevel.Debug, "{Controller}: {Key} was written by somebody else, again in {Seconds:F2} s: {Reason}")]
        public static partial void Conflict(ILogger logger, string controller, ObjectKey key, double seconds, string reason);

        [LoggerMessage(1202, LogLevel.Error, "{Controller}: {Key} cannot be reconciled until it changes")]
        public static partial void Terminal(ILogger logger, string controller, ObjectKey key, Exception exception);

        [LoggerMessage(1203, LogLevel.Warning, "{Controller}: {Key} failed {Failures} times in a row, again in {Seconds:F2} s")]
        public static partial void Failed(ILogger logger, string controller, ObjectKey key, int failures, double seconds, Exception exception);
    }
}
