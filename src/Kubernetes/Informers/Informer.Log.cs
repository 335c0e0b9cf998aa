using Microsoft.Extensions.Logging;

namespace Opt.Kubernetes;

public sealed partial class Informer<T>
{
    private static partial class Log   // 11xx: informers
    {
        [LoggerMessage(1101, LogLevel.Warning, "Watch of {Resource} interrupted ({Failures} in a row): {Reason}")]
        public static partial void Interrupted(ILogger logger, string resource, int failures, string reason);

        [LoggerMessage(1102, LogLevel.Information, "Reading all {Resource} again: {Reason}")]
        public static partial void Relisting(ILogger logger, string resource, string reason);

        [LoggerMessage(1103, LogLevel.Information, "The server does not stream {Resource}, reading by pages: {Reason}")]
        public static partial void StreamingRefused(ILogger logger, string resource, string reason);

        [LoggerMessage(1104, LogLevel.Error, "A subscriber of {Resource} failed on {Key}")]
        public static partial void HandlerFailed(ILogger logger, string resource, ObjectKey key, Exception exception);
    }
}
