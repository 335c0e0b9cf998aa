using System.Globalization;

namespace Opt.Torch;

public static partial class torch
{
    /// <summary>The kinds of device; the values are libtorch's.</summary>
    public enum DeviceType
    {
        CPU = 0,
        CUDA = 1,
        META = 14,
    }

    /// <summary>Where a tensor lives.</summary>
    /// <param name="type">The kind of device.</param>
    /// <param name="index">Which one of its kind; -1 for the current one.</param>
    public sealed record Device(DeviceType type, int index = -1)
    {
        /// <summary>Parses <c>cpu</c>, <c>cuda</c>, <c>cuda:1</c> or <c>meta</c>.</summary>
        /// <exception cref="FormatException">The text names no device.</exception>
        public static Device Parse(string text)
        {
            var colon = text.IndexOf(':', StringComparison.Ordinal);
            var name = colon < 0 ? text : text[..colon];
            var index = -1;
            var known = Enum.TryParse<DeviceType>(name, ignoreCase: true, out var type) && !char.IsAsciiDigit(name[0]);
            if (!known || (colon >= 0 && !int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out index)))
            {
                throw new FormatException($"device '{text}' is not one of cpu, cuda, cuda:<index>, meta");
            }

            return new Device(type, index);
        }

        internal int Packed => (int)type << 16 | (index & 0xffff);

        internal static Device Unpack(int packed) => new((DeviceType)(packed >> 16), (short)(packed & 0xffff));

        public override string ToString() => index < 0 ? type.ToString().ToLowerInvariant() : $"{type.ToString().ToLowerInvariant()}:{index}";
    }

    public static readonly Device CPU = new(DeviceType.CPU);
    public static readonly Device CUDA = new(DeviceType.CUDA);
    public static readonly Device META = new(DeviceType.META);

    /// <summary>The device that <paramref name="name"/> (cpu, cuda, cuda:1, meta) stands for.</summary>
    public static Device device(string name) => Device.Parse(name);
}
