// npz.cjs: NumPy's .npz.
'use strict';
const fs = require('fs');
const zlib = require('zlib');

const DESCR = { float32: '<f4', int64: '<i8', int32: '<i4', uint8: '|u1', int8: '|i1' };
const ARRAY = { '<f4': Float32Array, '<i8': BigInt64Array, '<i4': Int32Array, '|u1': Uint8Array, '|i1': Int8Array };

function npy(input) {
    const shape = input.shape.join(', ') + (input.shape.length === 1 ? ',' : '');
    let header = `{'descr': '${DESCR[input.type]}', 'fortran_order': False, 'shape': (${shape}), }`;
    header = header.padEnd(Math.ceil((10 + header.length + 1) / 64) * 64 - 11) + '\n';
    const head = Buffer.from('\x93NUMPY\x01\x00\x00\x00' + header, 'latin1');
    head.writeUInt16LE(header.length, 8);
    return Buffer.concat([head, Buffer.from(input.data.buffer)]);
}

function crc32(bytes) {
    let crc = ~0;
    for (const byte of bytes) {
        crc ^= byte;
        for (let i = 0; i < 8; i++)
            crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc >>> 0;
}

// A zip file of stored members.
function write_npz(file, inputs) {
    const parts = [], directory = [];
    let at = 0;
    for (const input of inputs) {
        const name = Buffer.from(input.name + '.npy'), bytes = npy(input), fields = Buffer.alloc(26);
        fields.writeUInt16LE(20, 0);
        fields.writeUInt32LE(crc32(bytes), 10);
        fields.writeUInt32LE(bytes.length, 14);
        fields.writeUInt32LE(bytes.length, 18);
        fields.writeUInt16LE(name.length, 22);
        const place = Buffer.alloc(14);
        place.writeUInt32LE(at, 10);
        parts.push(Buffer.from('PK\x03\x04'), fields, name, bytes);
        directory.push(Buffer.from('PK\x01\x02\x14\x00'), fields, place, name);
        at += 4 + fields.length + name.length + bytes.length;
    }
    const end = Buffer.alloc(18);
    end.writeUInt16LE(inputs.length, 4);
    end.writeUInt16LE(inputs.length, 6);
    end.writeUInt32LE(Buffer.concat(directory).length, 8);
    end.writeUInt32LE(at, 12);
    fs.writeFileSync(file, Buffer.concat([...parts, ...directory, Buffer.from('PK\x05\x06'), end]));
}

function read_npy(bytes) {
    const length = bytes.readUInt16LE(8);
    const header = bytes.toString('latin1', 10, 10 + length);
    const type = ARRAY[/'descr': '([^']*)'/.exec(header)[1]];
    const copy = new Uint8Array(bytes.subarray(10 + length)); // aligned
    return new type(copy.buffer);
}

// The members of a zip file, by its central directory.
function read_npz(file) {
    const bytes = fs.readFileSync(file);
    const arrays = {};
    let end = bytes.length - 22;
    while (bytes.readUInt32LE(end) !== 0x06054b50)
        end--;
    let at = bytes.readUInt32LE(end + 16);
    for (let left = bytes.readUInt16LE(end + 10); left; left--) {
        const method = bytes.readUInt16LE(at + 10), size = bytes.readUInt32LE(at + 20), name_length = bytes.readUInt16LE(at + 28);
        const name = bytes.toString('utf8', at + 46, at + 46 + name_length), local = bytes.readUInt32LE(at + 42);
        const data = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
        const packed = bytes.subarray(data, data + size);
        arrays[name.replace(/\.npy$/, '')] = read_npy(method ? zlib.inflateRawSync(packed) : packed);
        at += 46 + name_length + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
    }
    return arrays;
}

module.exports = { read_npz, write_npz };
