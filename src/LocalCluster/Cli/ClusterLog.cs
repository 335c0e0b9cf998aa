using System.Globalization;
using Microsoft.Extensions.Logging;

namespace Opt.LocalCluster.Cli;

/// <summary>The log of a running cluster: from information up to a file in the state directory, warnings and errors to standard error as well.</summary>
internal sealed class ClusterLog : ILoggerProvider
{
    private const long Longest = 32L << 20;
    private readonly Lock _gate = new();
    private readonly string _path;
    private readonly TextWriter? _console;
    private readonly TimeProvider _clock;
    private StreamWriter _file;

    private ClusterLog(string path, TextWriter? console, TimeProvider clock)
    {
        (_path, _console, _clock) = (path, console, clock);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        _file = Open();
    }

    /// <summary>Where the log of a cluster is.</summary>
    public static string PathIn(string stateDirectory) => Path.Combine(stateDirectory, "opt-local.log");

    /// <param name="console">Gets warnings and errors; null where the screen belongs to something else.</param>
    public static ILoggerFactory Create(string stateDirectory, TextWriter? console, TimeProvider clock) =>
        LoggerFactory.Create(builder => builder.SetMinimumLevel(LogLevel.Information).AddProvider(new ClusterLog(PathIn(stateDirectory), console, clock)));

    public ILogger CreateLogger(string categoryName) => new Writer(this, categoryName[(categoryName.LastIndexOf('.') + 1)..]);

    public void Dispose() => _file.Dispose();

    private void Write(LogLevel level, string line)
    {
        lock (_gate)
        {
            if (_file.BaseStream.Length > Longest) Rotate();
            _file.WriteLine(line);
            if (level >= LogLevel.Warning) _console?.WriteLine(line);
        }
    }

    private void Rotate()
    {
        _file.Dispose();
        File.Move(_path, _path + ".1", overwrite: true);
        _file = Open();
    }

    private StreamWriter Open() => new(new FileStream(_path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete)) { AutoFlush = true };

    private sealed class Writer(ClusterLog log, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel)) return;
            var time = log._clock.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
            log.Write(logLevel, $"{time} {Short(logLevel)} {category}[{eventId.Id}] {formatter(state, exception)}{(exception is null ? "" : $"\n{exception}")}");
        }

        private static string Short(LogLevel level) => level switch { LogLevel.Information => "info", LogLevel.Warning => "warn", LogLevel.Error => "fail", _ => "crit" };
    }
}
